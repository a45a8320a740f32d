"""Three sets of servers behind one interface."""
