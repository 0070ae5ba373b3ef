"""networkx views of the lineage graph, without a copy."""
