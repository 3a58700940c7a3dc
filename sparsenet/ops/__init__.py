"""Operations: what is true of each kind of layer on any machine."""
