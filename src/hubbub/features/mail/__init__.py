"""Mail: links for forgotten passwords."""
