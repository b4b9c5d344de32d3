"""What is known of one container, a tab a file."""
