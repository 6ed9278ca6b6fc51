"""What functions are compared with by `make bench`: not a part of Tiffin."""
