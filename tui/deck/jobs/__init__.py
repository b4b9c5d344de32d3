"""Long work that goes on while other screens are open: pulls, pushes, builds, loading and saving."""
