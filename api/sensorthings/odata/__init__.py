"""From the text of a request to one SQL statement: lexer, syntax tree, parser, compiler."""
