"""The command line: `tiffin VERB`, a verb a file; it never imports textual."""
