"""Write a cell's model to a file: exported by another framework, or saved by the cell's mode.

A separate process does this, so that the measured process imports only the framework that it runs on. A module here is
named after an exporting framework and has a function `export(model, example, shapes, path)`, which writes files with
the suffix `SUFFIX`. Or it is named after a framework with a different file format and has a function `convert(source,
path)`, which makes such a file of the exporter's.
"""
