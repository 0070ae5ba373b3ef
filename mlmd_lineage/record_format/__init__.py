"""The format of recorded runs: names of properties, and values as properties.

``docs/record-format.md`` describes it field by field.
"""
