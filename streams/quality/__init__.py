"""Quality control after QARTOD."""
