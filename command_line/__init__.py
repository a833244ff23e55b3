"""What the commands of all rooms share: arguments, grouping and examples, flags made from options objects."""
