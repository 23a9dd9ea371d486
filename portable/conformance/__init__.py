"""The suite that every backend passes: one set of tests, and what they are held against."""
