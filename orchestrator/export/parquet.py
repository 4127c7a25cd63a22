"""Apache Parquet: the same table with types. A column without values takes its type from its name."""

import io

from orchestrator.analysis.job_rows import Row, Scalar
from orchestrator.analysis.rows import Per
from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError


def export_table(run: Run, per: Per) -> bytes:
    """Return the table as a Parquet file.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("parquet needs pyarrow; run: pip install 'plumbline-ml[parquet]'") from error
    rows = run.rows(per)
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(column, types[infer_type(column, rows)]) for column in (rows[0] if rows else {})])
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), target)
    return target.getvalue()


def infer_type(column: str, rows: list[Row]) -> type[Scalar]:
    """Return the type that holds all values of a column."""
    # Times and sizes are always float: another run may have fractions where this one has none.
    found = {type(row[column]) for row in rows if row[column] is not None}
    if found <= {int, float} and (found or column.endswith(("_ns", "_bytes"))):
        return float if float in found or column.endswith(("_ns", "_bytes")) else int
    return next(iter(found)) if len(found) == 1 else str
