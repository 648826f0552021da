"""Hosts: where polymod looks and acts."""
