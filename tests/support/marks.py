"""Where a test runs, and where it does not."""

import pytest

from support.database import partitions_of_tests
from support.podman import why_impossible

# Of tests about a unique key of the site: PostgreSQL has none on a partitioned table without the
# column by which it is partitioned. tests/e2e/test_partition_verdicts.py is about keys of single
# partitions.
needs_a_unique_value = pytest.mark.skipif(
    partitions_of_tests() > 0, reason="no value but the key is unique in all partitions")

# Of the tests that are worth the time twice: once as the tests' databases are, and once with
# partitioned tables.
on_partitions_too = pytest.mark.parametrize("db", [None, 8], ids=["", "partitioned"], indirect=True)

# Of the tests that boot a Debian in a container.
needs_podman = pytest.mark.skipif(why_impossible() is not None, reason=str(why_impossible()))
