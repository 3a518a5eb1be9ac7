"""The small cohort that the tests of data make."""

from tests.data.conftest import cohort, make_cohort  # noqa: F401 - fixtures
