"""Readers of container formats that several backends share."""
