"""Files that somebody damaged or made to do harm: each reader gives a value or a typed error, soon, and in little memory."""
