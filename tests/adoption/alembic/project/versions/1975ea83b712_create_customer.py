"""create customer

Revision ID: 1975ea83b712
Revises:
Create Date: 2024-01-01 12:00:00

"""
import sqlalchemy as sa
from alembic import op

revision = "1975ea83b712"
down_revision = None


def upgrade():
    # MySQL indexes no text without a length.
    text = sa.Text().with_variant(sa.String(200), "mysql")
    op.create_table("customer", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", text, nullable=False))
    op.execute("INSERT INTO customer (name) VALUES ('Ada')")


def downgrade():
    op.drop_table("customer")
