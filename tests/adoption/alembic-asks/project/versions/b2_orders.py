"""orders"""
import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "a1"


def upgrade():
    op.execute("CREATE TABLE orders (id integer)")


def downgrade():
    op.execute("DELETE FROM orders")
    if op.get_bind().execute(sa.text("SELECT count(*) FROM orders")).scalar() == 0:
        op.execute("DROP TABLE orders")
