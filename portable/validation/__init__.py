"""Whether backends agree: spike by spike, trace by trace, and in pictures."""
