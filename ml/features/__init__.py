"""The feature store's contract: which 50 columns describe an asset, and what each of them means."""
