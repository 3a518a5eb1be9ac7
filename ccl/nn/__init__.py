"""Layers that methods are built of; every weight has a leading axis of replicas (:mod:`ccl.nn.replicas`)."""
