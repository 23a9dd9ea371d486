"""How a model is written down: our JSON and YAML documents."""
