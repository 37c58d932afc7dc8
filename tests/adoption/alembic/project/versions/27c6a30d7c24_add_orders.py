"""add orders

Revision ID: 27c6a30d7c24
Revises: ae1027a6acf

"""
import sqlalchemy as sa
from alembic import op

revision = '27c6a30d7c24'
down_revision = 'ae1027a6acf'


def upgrade():
    op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("orders")
