"""How each platform writes pipelines, runs and steps into MLMD, one small file each."""
