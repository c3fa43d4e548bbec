"""What recordings are made of: grids, arrays; nothing here reads files."""
