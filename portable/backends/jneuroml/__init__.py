"""jNeuroML through the jar that pyneuroml brings: jLEMS itself, or NEURON by jNeuroML's export."""
