"""CCL: cohort-individual cooperative learning (Zhou, Zhou, Chen, IEEE TMI 2024)."""
