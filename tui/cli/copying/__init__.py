"""Local files to and from tar streams, for `tiffin cp`."""
