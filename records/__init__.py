"""What more than one room reads or writes: each record has one reader and one writer, here."""
