"""Files and objects that artifacts stand for: their URIs and digests."""
