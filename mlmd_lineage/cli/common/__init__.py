"""Parts that several commands share: options, output, tables, the lineage tree."""
