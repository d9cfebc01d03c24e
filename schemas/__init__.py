"""One JSON Schema per file format; `mavfer.schema` reads them, `README.md` lists them."""
