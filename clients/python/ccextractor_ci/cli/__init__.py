"""The command `ci`: a module for each group of commands, brought when one of them is called."""
