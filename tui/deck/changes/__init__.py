"""What a container changed of its image, as a tree, and two texts beside each other."""
