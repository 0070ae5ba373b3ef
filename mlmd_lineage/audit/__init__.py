"""Audit: findings, dossiers, bundles, ledgers and exports of a store."""
