"""Pictures of the lineage graph: SVG, DOT, Mermaid and HTML."""
