"""index customer

Revision ID: ae1027a6acf
Revises: 1975ea83b712

"""
from typing import Union

from alembic import op

revision: str = "ae1027a6acf"
down_revision: Union[str, None] = "1975ea83b712"


def upgrade() -> None:
    op.create_index("customer_name", "customer", ["name"])


def downgrade() -> None:
    op.drop_index("customer_name", "customer")
