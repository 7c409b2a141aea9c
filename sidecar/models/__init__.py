"""Networks, the catalog of models, and the store of their weights."""
