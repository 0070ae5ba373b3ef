"""What a metadata store holds, as columns."""
