// The column where help text wraps, whatever the terminal, so that it reads the same everywhere.
export const HELP_WIDTH = 110;
