"""Pure drawing: from model data and a palette to rows of segments; no widget and no state."""
