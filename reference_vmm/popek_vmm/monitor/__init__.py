"""The monitor made from a `.vmm` text: Popek and Goldberg's control program, around the one meaning of an instruction."""
