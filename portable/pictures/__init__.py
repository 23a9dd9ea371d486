"""Pictures of results and of networks; with matplotlib, which is loaded only here and in reports."""
