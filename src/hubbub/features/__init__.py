"""What people do here, one folder for each capability. Knows no sockets' bytes and no HTTP."""
