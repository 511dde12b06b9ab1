"""What an application imports: `Hubbub`, its handles, and what checks their arguments."""
