"""From a sweep file or options to cells, and from cells to blocks of jobs."""
