"""Images on their way: pulled and pushed, loaded and saved, with what is told of it meanwhile."""
