"""Commands for evidence: checks, dossiers, bundles, ledgers and exports."""
