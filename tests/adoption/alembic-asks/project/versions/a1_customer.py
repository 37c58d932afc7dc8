"""customers"""
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE customer (id integer)")
    op.execute("INSERT INTO customer VALUES (1)")


def downgrade():
    op.execute("DROP TABLE customer")
