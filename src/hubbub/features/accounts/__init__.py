"""Accounts: people who sign up and log in here."""
